package org.archipelago.ext.daemon;

import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.peer.endpoint.EndpointException;

/** Calls of endpoints, whose errors become those of commands. */
final class EndpointCalls {
    private EndpointCalls() {}

    static void change(Runnable change) {
        try {
            change.run();
        } catch (EndpointException e) {
            throw new Failure(ExitCode.ofErrno(e.errno()), e.getMessage(), e);
        }
    }
}
