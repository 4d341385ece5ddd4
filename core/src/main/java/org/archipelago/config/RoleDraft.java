package org.archipelago.config;

import java.nio.file.Path;

/** A role while it is checked. base: where a relative path starts. */
record RoleDraft(String name, RoleType type, Section section, Path base) {
    /** Only where the setting is there and is a path. */
    Path path(String setting) {
        return base.resolve(section.text(setting)).normalize();
    }

    /** Only after all checks. */
    PortRange ports() {
        return new PortRange(section.number("portno_start"), section.number("portno_end"));
    }

    /** Whether it has this port, as far as its range is right. */
    boolean has(int port) {
        return section.has("portno_start") && section.has("portno_end")
                && port >= section.number("portno_start") && port <= section.number("portno_end");
    }

    /** Only after all checks. */
    Role role() {
        Section s = section;
        var process = s.optionalText("process");
        int ops = s.number("nr_ops");
        int log = s.number("log_level");
        return switch (type) {
            case FILE_BLOCKER -> new FileBlockerRole(name, ports(), ops, log, process, path("archip_dir"),
                    s.number("nr_threads"), s.number("fdcache"), s.flag("direct"));
            case RADOS_BLOCKER -> new RadosBlockerRole(name, ports(), ops, log, process, s.text("pool"),
                    s.number("nr_threads"), s.optionalText("cephx_id"), path("ceph_conf"));
            case MAPPERD -> new MapperRole(name, ports(), ops, log, process, s.number("blockerb_port"),
                    s.number("blockerm_port"), s.flag("upgrade_original"));
            case VLMCD -> new ComposerRole(name, ports(), ops, log, process, s.number("blocker_port"),
                    s.number("mapper_port"));
            case DUMMY -> new DummyRole(name, ports(), ops, log, process);
        };
    }
}
