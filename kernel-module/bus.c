// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * /sys/bus/xsegbd:
 *	add	"TARGET SRCPORT:DSTPORT:REQS" makes device SRCPORT - first port
 *	remove	"ID" removes one that nobody uses, "ID force" any
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/slab.h>
#include <linux/string.h>
#include "xsegbd.h"

#define LOGGED_MAX 60	/* bytes of what was written and is wrong */

static DEFINE_MUTEX(table_mutex);
static LIST_HEAD(table);

static struct xsegbd_device *find(u32 id)
{
	struct xsegbd_device *dev;

	list_for_each_entry(dev, &table, in_table)
		if (dev->id == id)
			return dev;
	return NULL;
}

static bool has_target(const char *target)
{
	struct xsegbd_device *dev;

	list_for_each_entry(dev, &table, in_table)
		if (!strcmp(dev->target, target))
			return true;
	return false;
}

/* A name that can stand in a log line and in a path. */
static bool is_target(const char *target)
{
	size_t length = strlen(target), i;

	if (!length || length > XSEG_TARGET_MAX)
		return false;
	for (i = 0; i < length; i++)
		if (target[i] <= ' ' || target[i] > '~' || target[i] == '/')
			return false;
	return true;
}

/* The next number of "A:B:C", and nothing but that. */
static int number(char **text, u32 *value)
{
	const char *digits = strsep(text, ":");

	if (!digits || *digits < '0' || *digits > '9')
		return -EINVAL;
	return kstrtou32(digits, 10, value);
}

/* Under the mutex. */
static int add(char *text)
{
	struct xsegbd_device *dev;
	const char *target;
	u32 src, dst, depth;

	text = strim(text);
	target = strsep(&text, " ");
	if (!is_target(target) || !text)
		return -EINVAL;
	text = skip_spaces(text);
	if (number(&text, &src) || number(&text, &dst) || number(&text, &depth) || text)
		return -EINVAL;
	if (src <= xsegbd_first_port || src > xsegbd_last_port || dst >= XSEG_PORTS_MAX || !depth ||
	    depth > XSEGBD_DEPTH_MAX)
		return -ERANGE;
	if (find(src - xsegbd_first_port))
		return -EBUSY;
	if (has_target(target))
		return -EEXIST;
	dev = xsegbd_device_create(target, src, dst, depth);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	list_add_tail(&dev->in_table, &table);
	return 0;
}

static int remove(char *text)
{
	struct xsegbd_device *dev;
	bool force = false;
	const char *id;
	u32 value;
	int error;

	text = strim(text);
	id = strsep(&text, " ");
	if (text)
		force = !strcmp(skip_spaces(text), "force");
	if (*id < '0' || *id > '9' || kstrtou32(id, 10, &value) || (text && !force))
		return -EINVAL;
	dev = find(value);
	if (!dev)
		return -ENOENT;
	list_del(&dev->in_table);
	error = xsegbd_device_remove(dev, force);
	if (error)
		list_add_tail(&dev->in_table, &table);
	return error;
}

/* What was written may be anything. */
static void complain(const char *what, const char *from, size_t length, int error)
{
	char text[LOGGED_MAX + 1] = "";
	size_t i;

	for (i = 0; i < length && i < LOGGED_MAX; i++)
		text[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
	pr_warn_ratelimited("cannot %s '%s': error %d\n", what, text, error);
}

static ssize_t store(const char *what, int (*act)(char *text), const char *from, size_t length)
{
	char *text = kmemdup_nul(from, length, GFP_KERNEL);
	int error;

	if (!text)
		return -ENOMEM;
	mutex_lock(&table_mutex);
	error = strlen(text) == length ? act(text) : -EINVAL;
	mutex_unlock(&table_mutex);
	kfree(text);
	if (error)
		complain(what, from, length, error);
	return error ?: length;
}

static ssize_t add_store(BUS_CONST struct bus_type *bus, const char *from, size_t length)
{
	return store("add", add, from, length);
}
static BUS_ATTR_WO(add);

static ssize_t remove_store(BUS_CONST struct bus_type *bus, const char *from, size_t length)
{
	return store("remove", remove, from, length);
}
static BUS_ATTR_WO(remove);

static struct attribute *bus_attrs[] = {
	&bus_attr_add.attr,
	&bus_attr_remove.attr,
	NULL
};
ATTRIBUTE_GROUPS(bus);

struct bus_type xsegbd_bus = {
	.name = XSEGBD_NAME,
	.bus_groups = bus_groups,
};

int xsegbd_bus_register(void)
{
	return bus_register(&xsegbd_bus);
}

void xsegbd_bus_unregister(void)
{
	struct xsegbd_device *dev, *next;

	mutex_lock(&table_mutex);
	list_for_each_entry_safe(dev, next, &table, in_table) {
		list_del(&dev->in_table);
		xsegbd_device_remove(dev, true);
	}
	mutex_unlock(&table_mutex);
	bus_unregister(&xsegbd_bus);
}
