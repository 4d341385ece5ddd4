// SPDX-License-Identifier: BSD-2-Clause
/*
 * Linked into what the sanitizers watch. The options are in here, not in the environment: the helper is born without one,
 * and what it says on stderr is lost. What UBSan finds is a trap (SIGILL), so that it is AddressSanitizer that reports it:
 * the other's own reports follow no log_path. Leaks are not looked for: a command frees nothing before it ends, and the
 * helper's buffers are mappings, which are not followed.
 */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0:handle_sigill=1:log_path=" REPORTS "/report";
}
