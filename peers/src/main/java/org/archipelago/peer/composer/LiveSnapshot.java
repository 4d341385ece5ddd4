package org.archipelago.peer.composer;

import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;

/**
 * A snapshot of a volume that goes on. Its I/O is stopped for no more than what is under way and one small write to
 * the log; what waits for a disk comes before or after:
 *
 * <pre>
 *   PREPARE   the mapper makes the next log                      the volume's I/O goes on
 *   (settle)  writes that are durable by themselves wait         all other I/O goes on
 *   SEAL      no write is under way: the log is sealed           stopped
 *   (flush)   what was written before is made durable            goes on
 *   SNAPSHOT  a checkpoint, the volume's header, the snapshot's  goes on
 * </pre>
 *
 * On the volume's reactor.
 */
final class LiveSnapshot {
    private enum Step { PREPARING, SETTLING, SEALING, WAITING, GOING_ON }

    private final Composer composer;
    private final Volume volume;
    private final Request request;
    private Step step = Step.PREPARING;
    private long log;

    LiveSnapshot(Composer composer, Volume volume, Request request) {
        this.composer = composer;
        this.volume = volume;
        this.request = request;
    }

    void begin() {
        composer.ask(request, Op.PREPARE, 0, this::prepared);
    }

    private void prepared(int status, long serviced) {
        log = serviced;
        if (status != 0) {
            end(status, serviced);
        } else if (log == 0) {
            composer.ended(volume, true); // nobody has it open here for writing alone
        } else {
            step = Step.SETTLING;
            volume.settling = true;
            advance();
        }
    }

    /** Something of the volume's ended, or an operation is free. */
    void advance() {
        if (step == Step.SETTLING && !volume.isWriting(true)) {
            volume.frozen = true;
            if (!volume.isWriting(false)) {
                step = Step.SEALING;
                volume.sealOut = true;
                composer.ask(request, Op.SEAL, log, this::sealed);
            }
        } else if (step == Step.WAITING) {
            step = Step.GOING_ON;
            if (!composer.beginFlush(volume, this::flushed)) {
                step = Step.WAITING;
            }
        }
    }

    private void sealed(int status, long serviced) {
        if (status != 0) {
            fail(status, status == Errno.EAGAIN ? "volume " + volume.name + " has gone on meanwhile: try again"
                : "the log of volume " + volume.name + " cannot be sealed: " + Errno.text(status));
            return;
        }
        volume.sealed();
        goOn();
        step = Step.WAITING;
        advance();
    }

    /** Lets the volume's I/O go on. */
    private void goOn() {
        volume.settling = false;
        composer.goOn(volume);
    }

    private void flushed(int status) {
        if (status == 0) {
            composer.ask(request, Op.SNAPSHOT, log, this::end);
        } else {
            fail(status, "what was written to " + volume.name + " cannot be made durable: " + Errno.text(status));
        }
    }

    private void fail(int status, String why) {
        finish(() -> request.fail(status, why));
    }

    /** With the mapper's own answer, which lies in the request's data. */
    private void end(int status, long serviced) {
        finish(() -> request.serviced(serviced).complete(status));
    }

    private void finish(Runnable answer) {
        goOn();
        composer.ended(volume, false);
        answer.run();
    }
}
