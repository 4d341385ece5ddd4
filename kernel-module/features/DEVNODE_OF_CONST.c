// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The node of a device is named without changing it. */
#include <linux/device.h>

char *probe_devnode(const struct device *device, umode_t *mode, kuid_t *uid, kgid_t *gid);
struct device_type probe = { .devnode = probe_devnode };
