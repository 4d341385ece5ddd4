// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The attributes of a bus do not change it. */
#include <linux/device/bus.h>

ssize_t probe_store(const struct bus_type *bus, const char *from, size_t length);
struct bus_attribute probe = { .store = probe_store };
