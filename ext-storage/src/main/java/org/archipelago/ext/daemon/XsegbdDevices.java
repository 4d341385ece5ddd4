package org.archipelago.ext.daemon;

import org.archipelago.ext.node.ServedDevices;
import org.archipelago.peer.endpoint.XsegbdEndpoint;

/** The xsegbd endpoint's devices. Thread-safe. */
final class XsegbdDevices implements ServedDevices, AutoCloseable {
    private final XsegbdEndpoint endpoint;

    XsegbdDevices(XsegbdEndpoint endpoint) {
        this.endpoint = endpoint;
    }

    @Override
    public void serve(String volume, String path) {
        EndpointCalls.change(() -> endpoint.serve(volume, path));
    }

    @Override
    public boolean serves(String volume) {
        return endpoint.serves(volume);
    }

    @Override
    public void end(String volume) {
        EndpointCalls.change(() -> endpoint.end(volume));
    }

    /** The devices stay, and wait. */
    @Override
    public void close() {
        EndpointCalls.change(endpoint::close);
    }
}
