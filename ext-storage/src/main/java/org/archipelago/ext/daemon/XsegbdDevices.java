package org.archipelago.ext.daemon;

import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.node.ServedDevices;
import org.archipelago.peer.endpoint.EndpointException;
import org.archipelago.peer.endpoint.XsegbdEndpoint;

/** The xsegbd endpoint's devices. Thread-safe. */
final class XsegbdDevices implements ServedDevices, AutoCloseable {
    private final XsegbdEndpoint endpoint;

    XsegbdDevices(XsegbdEndpoint endpoint) {
        this.endpoint = endpoint;
    }

    @Override
    public void serve(String volume, String path) {
        change(() -> endpoint.serve(volume, path));
    }

    @Override
    public boolean serves(String volume) {
        return endpoint.serves(volume);
    }

    @Override
    public void end(String volume) {
        change(() -> endpoint.end(volume));
    }

    private static void change(Runnable change) {
        try {
            change.run();
        } catch (EndpointException e) {
            throw new Failure(ExitCode.ofErrno(e.errno()), e.getMessage(), e);
        }
    }

    /** The devices stay, and wait. */
    @Override
    public void close() {
        change(endpoint::close);
    }
}
