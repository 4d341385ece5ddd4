package org.archipelago.peer.powercut;

import java.util.Random;

/** Which of several things a power cut leaves: the oldest ones, the newest ones, any of them, or one of these for each file. */
final class Luck {
    private enum Kind { OLDEST, NEWEST, ANY }

    private static final Kind[] KINDS = Kind.values();

    private final Random random;
    private final Kind kind;
    private final boolean mixed;

    private Luck(Random random, Kind kind, boolean mixed) {
        this.random = random;
        this.kind = kind;
        this.mixed = mixed;
    }

    static Luck of(Random random) {
        return new Luck(random, any(random), random.nextBoolean());
    }

    private static Kind any(Random random) {
        return KINDS[random.nextInt(KINDS.length)];
    }

    /** For one of several files. */
    Luck each() {
        return mixed ? new Luck(random, any(random), true) : this;
    }

    /** One of so many versions, the oldest one is 0. */
    int pick(int count) {
        return switch (kind) {
            case OLDEST -> 0;
            case NEWEST -> count - 1;
            case ANY -> random.nextInt(count);
        };
    }

    /** Whether a write in the middle of it may be torn. */
    boolean isAny() {
        return kind == Kind.ANY;
    }

    Random random() {
        return random;
    }
}
