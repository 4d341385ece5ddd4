package org.archipelago.peer.blocker;

/**
 * A piece of work that can block: a reactor hands it to a worker, the worker hands it back. Whoever
 * holds it owns its fields.
 */
abstract class Job {
    /** For the queue that it stands in. */
    Job next;

    /** Does it, on a worker, and sees to it that {@link FileBlocker#giveBack} is called; throws nothing. */
    abstract void run(Scratch scratch);

    /** Answers what it was for, on the blocker's reactor. */
    abstract void finished();

    /** Never to be finished, since the process stops: lets go of what it holds. */
    void dropped() {}
}
