package org.archipelago.ext.ganeti;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.archipelago.ext.Failure;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Names;
import org.archipelago.ext.text.Sizes;

/** What Ganeti wants, as the environment says it. Hostile until checked. */
final class Orders {
    static final String INSTANCE = "ganeti.instance";
    static final String DISK_NAME = "ganeti.disk-name";
    static final String DISK_UUID = "ganeti.disk-uuid";

    private static final int VALUE_MAX = 256;
    private static final String INSTANCE_MARK = "originstname+";

    private final Map<String, String> environment;

    Orders(Session session) {
        this.environment = session.console().environment();
    }

    /** The volume that it is about. */
    String volume() {
        return Names.check(required("VOL_NAME"));
    }

    String newVolume() {
        return Names.checkNew(required("VOL_NAME"));
    }

    String snapshot() {
        return Names.checkNew(required("VOL_SNAPSHOT_NAME"));
    }

    /** Bytes. */
    long size(String variable) {
        return Sizes.parseMib(variable, required(variable));
    }

    boolean exclusive() {
        String value = required("VOL_OPEN_EXCLUSIVE");
        if (!value.equals("True") && !value.equals("False")) {
            throw Failure.usage("VOL_OPEN_EXCLUSIVE must be True or False, not '" + org.archipelago.ext.text.Text.printable(value) + "'");
        }
        return value.equals("True");
    }

    /** Whether the disk is used by its URI alone. */
    boolean userspace() {
        return optional("EXTP_ACCESS").filter("userspace"::equals).isPresent();
    }

    /** What is to be noted with the volume; an empty text takes a note away. */
    Map<String, String> notes() {
        Map<String, String> notes = new LinkedHashMap<>();
        notes.put(DISK_NAME, clean(optional("VOL_CNAME").orElse("")));
        notes.put(DISK_UUID, clean(optional("VOL_UUID").orElse("")));
        optional("VOL_METADATA").ifPresent(m -> notes.put(INSTANCE,
            clean(m.startsWith(INSTANCE_MARK) ? m.substring(INSTANCE_MARK.length()) : m)));
        return notes;
    }

    /** Fit to be stored and shown. */
    private static String clean(String value) {
        String printable = value.replaceAll("\\p{Cntrl}", "?");
        return printable.substring(0, Math.min(VALUE_MAX, printable.length()));
    }

    private String required(String variable) {
        return optional(variable).orElseThrow(() -> Failure.usage("the environment has no " + variable
            + ": Ganeti calls this script, people use vlmc"));
    }

    private Optional<String> optional(String variable) {
        return Optional.ofNullable(environment.get(variable));
    }
}
