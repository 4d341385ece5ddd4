package org.archipelago.config;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/** The kinds of role that the file can name. */
public enum RoleType {
    FILE_BLOCKER("file_blocker", true, true, "keeps objects as files below a folder"),
    RADOS_BLOCKER("rados_blocker", true, false, "keeps objects in a RADOS pool"),
    MAPPERD("mapperd", false, true, "owns the volumes' maps"),
    VLMCD("vlmcd", false, true, "turns I/O on a volume into I/O on objects"),
    DUMMY("dummy", false, true, "answers every request without doing it, for measurements");

    private final String word;
    private final boolean blocker;
    private final boolean built;
    private final String help;

    RoleType(String word, boolean blocker, boolean built, String help) {
        this.word = word;
        this.blocker = blocker;
        this.built = built;
        this.help = help;
    }

    /** As the file writes it. */
    public String word() {
        return word;
    }

    /** Stores named objects. */
    public boolean isBlocker() {
        return blocker;
    }

    /** Part of this version; a role of a type that is not is an error. */
    public boolean isBuilt() {
        return built;
    }

    /** What it does, in some words. */
    public String help() {
        return help;
    }

    static Optional<RoleType> of(String word) {
        return Arrays.stream(values()).filter(t -> t.word.equals(word)).findFirst();
    }

    static String known() {
        return Arrays.stream(values()).filter(RoleType::isBuilt).map(t -> Literal.quote(t.word))
                .collect(Collectors.joining(", "));
    }
}
