package org.archipelago.xseg;

/** Told when a request that was submitted has been answered; runs on the thread of the submitter's reactor. */
@FunctionalInterface
public interface Completion {
    /** The request is its submitter's again: read its results, then reuse or release it. */
    void completed(Request request);
}
