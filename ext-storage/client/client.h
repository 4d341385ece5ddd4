/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ARCHIPELAGO_CLIENT_H
#define ARCHIPELAGO_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAYLOAD = 65536 };	/* of one frame, at most */

/* Exit codes: those of sysexits.h where it has one. 78 and 79 travel only as the status of a verb. */
enum { E_USAGE = 64, E_INSTALL = 69, E_PROTOCOL = 70, E_OUTPUT = 74, E_AWAY = 75, E_ROOT = 77, E_ARGUMENT = 78, E_LONG = 79 };

extern char **args, lib[], run[];	/* the command line after the program; LIB, where our siblings are; RUN */
extern int nargs;

/* Both write "PROGRAM: message" to stderr; fail ends the client, refuse returns the status. */
__attribute__((format(printf, 2, 3), noreturn)) void fail(int code, const char *format, ...);
__attribute__((format(printf, 2, 3))) int refuse(int status, const char *format, ...);

int command_place(void);			/* in args; nargs: there is none */
bool one_of(const char *word, const char *list);	/* a list of words with a blank between */
void send_frame(char type, const void *data, size_t length);
int xsegbd_verb(const char *action, const char *volume);	/* add, remove, refresh; its status */
void answer_verb(const uint8_t *payload, size_t length);

#endif
