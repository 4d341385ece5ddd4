package org.archipelago.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** What settings must be to one another. A setting that is wrong by itself is passed over: it has its finding. */
final class Rules {
    /** Ports with a name and the settings that say them. */
    private record Owned(String owner, Section section, String start, String end, PortRange ports) {
        String where() {
            return owner + ", " + ports + (section.isWritten(start) ? " (line " + section.line(start) + ")" : "");
        }
    }

    private final Section file;
    private final List<RoleDraft> roles;
    private final boolean complete;
    private final List<Owned> ranges = new ArrayList<>();

    /** @param complete whether every listed role is among these, so that one that is not there is missing */
    Rules(Section file, List<RoleDraft> roles, boolean complete) {
        this.file = file;
        this.roles = roles;
        this.complete = complete;
    }

    void check() {
        range("XSEGBD", file, "XSEGBD_START", "XSEGBD_END");
        range("VTOOL", file, "VTOOL_START", "VTOOL_END");
        for (RoleDraft role : roles) {
            range("role " + role.name(), role.section(), "portno_start", "portno_end");
        }
        overlaps();
        devices();
        for (RoleDraft role : roles) {
            Section s = role.section();
            switch (role.type()) {
                case FILE_BLOCKER -> files(role);
                case MAPPERD -> {
                    target(s, "blockerb_port", "blocker", r -> r.type().isBlocker());
                    target(s, "blockerm_port", "blocker", r -> r.type().isBlocker());
                }
                case VLMCD -> composer(s);
                default -> { }
            }
        }
    }

    private void range(String owner, Section s, String start, String end) {
        int most = file.has("SEGMENT_PORTS") ? file.number("SEGMENT_PORTS") - 1 : Schema.MOST_PORTS - 1;
        boolean right = true;
        for (String setting : List.of(start, end)) {
            if (!s.has(setting)) {
                right = false;
            } else if (s.number(setting) > most) {
                s.error(setting, "not a port of the segment", "0 to " + most + ", below SEGMENT_PORTS");
                right = false;
            }
        }
        if (right && s.number(end) < s.number(start)) {
            s.error(end, "before " + start + ", which is " + s.number(start), s.number(start) + " to " + most);
            right = false;
        }
        if (right) {
            ranges.add(new Owned(owner, s, start, end, new PortRange(s.number(start), s.number(end))));
        }
    }

    private void overlaps() {
        for (int i = 0; i < ranges.size(); i++) {
            for (int j = 0; j < i; j++) {
                Owned later = ranges.get(i);
                Owned earlier = ranges.get(j);
                if (later.ports().overlaps(earlier.ports())) {
                    later.section().error(later.start(), "the ports " + later.ports() + " overlap those of "
                            + earlier.where(), "ports that nothing else has");
                }
            }
        }
    }

    /** Device k of xsegbd talks to port k of the first composer. */
    private void devices() {
        Optional<Owned> composer = roles.stream().filter(r -> r.type() == RoleType.VLMCD).findFirst()
                .flatMap(r -> ranges.stream().filter(o -> o.section() == r.section()).findFirst());
        Optional<Owned> xsegbd = ranges.stream().filter(o -> o.section() == file && o.start().equals("XSEGBD_START"))
                .findFirst();
        if (composer.isPresent() && xsegbd.isPresent()) {
            int most = composer.get().ports().size();
            if (xsegbd.get().ports().size() > most) {
                file.error("XSEGBD_END", xsegbd.get().ports().size() + " devices for the " + most + " ports of "
                        + composer.get().where(), "up to " + (file.number("XSEGBD_START") + most - 1));
            }
        }
    }

    private void files(RoleDraft role) {
        Section s = role.section();
        if (s.has("fdcache") && s.has("nr_threads") && s.number("fdcache") < 2 * s.number("nr_threads")) {
            s.error("fdcache", "less than twice nr_threads, which is " + s.number("nr_threads"),
                    "at least " + 2 * s.number("nr_threads"));
        }
        if (!s.has("archip_dir")) {
            return;
        }
        Path folder = role.path("archip_dir");
        for (RoleDraft other : roles) {
            if (other == role) {
                return;
            }
            if (other.type() == RoleType.FILE_BLOCKER && other.section().has("archip_dir")) {
                Path taken = other.path("archip_dir");
                if (folder.startsWith(taken) || taken.startsWith(folder)) {
                    s.error("archip_dir", "shares files with role " + other.name() + ", whose folder is "
                            + Finding.shorten(taken.toString()), "a folder of its own");
                }
            }
        }
    }

    private void composer(Section s) {
        Optional<RoleDraft> blocker = target(s, "blocker_port", "blocker", r -> r.type().isBlocker());
        Optional<RoleDraft> mapper = target(s, "mapper_port", "mapperd", r -> r.type() == RoleType.MAPPERD);
        if (blocker.isPresent() && mapper.isPresent() && mapper.get().section().has("blockerb_port")) {
            int data = mapper.get().section().number("blockerb_port");
            if (!blocker.get().has(data)) {
                s.error("blocker_port", "role " + blocker.get().name() + " is not where role " + mapper.get().name()
                        + " keeps the data", data + ", as its blockerb_port says");
            }
        }
    }

    /** The role whose port the setting names; an error unless it is one of those that are due. */
    private Optional<RoleDraft> target(Section s, String setting, String due, Predicate<RoleDraft> fits) {
        if (!s.has(setting)) {
            return Optional.empty();
        }
        int port = s.number(setting);
        List<RoleDraft> candidates = roles.stream().filter(fits).toList();
        Optional<RoleDraft> found = candidates.stream().filter(r -> r.has(port)).findFirst();
        List<RoleDraft> right = candidates.stream()
                .filter(r -> ranges.stream().anyMatch(o -> o.section() == r.section())).toList();
        if (found.isEmpty() && complete && right.size() == candidates.size()) {
            String allowed = right.stream().map(r -> r.ports() + " (" + r.name() + ")")
                    .collect(Collectors.joining(", "));
            s.error(setting, "no port of a " + due + " role",
                    allowed.isEmpty() ? "a port of such a role, but there is none" : allowed);
        }
        return found;
    }
}
