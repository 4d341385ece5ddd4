package org.archipelago.ext.vlmc;

import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.function.Supplier;
import org.archipelago.ext.Console.VerbResult;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.Verb;
import org.archipelago.ext.text.Text;

/** What import and export have in common. */
final class Images {
    private static final List<String> FORMATS = List.of("raw", "qcow2", "vmdk", "vdi", "vhdx", "vpc");

    private static final int COPIES_MAX = 4;
    private static final Semaphore COPIES = new Semaphore(COPIES_MAX);

    private Images() {}

    /** Works with qemu-img, which takes its time: a few at once, so that most of the daemon's threads stay for other commands. */
    static ExitCode copy(Supplier<ExitCode> work) {
        if (!COPIES.tryAcquire()) {
            throw new Failure(ExitCode.TRY_AGAIN, COPIES_MAX + " images are being copied, which is the most at a time: repeat the command "
                + "when one of them is done");
        }
        try {
            return work.get();
        } finally {
            COPIES.release();
        }
    }

    /** An empty one is none. */
    static void checkFormat(String format) {
        if (!format.isEmpty() && !FORMATS.contains(format)) {
            throw Failure.usage("image format '" + Text.printable(format) + "' is not known: " + String.join(", ", FORMATS));
        }
    }

    /** qemu-img has said on the caller's stderr what is wrong. */
    static void check(VerbResult result, String what) {
        switch (result.status()) {
            case 0 -> { }
            case Verb.NOT_INSTALLED, Verb.NOT_STARTED -> throw new Failure(ExitCode.FAILED,
                what + ": qemu-img cannot be run (apt install qemu-utils)");
            case Verb.REFUSED -> throw Failure.usage(what);
            default -> throw new Failure(ExitCode.FAILED, what + ": qemu-img ended with status " + result.status());
        }
    }
}
