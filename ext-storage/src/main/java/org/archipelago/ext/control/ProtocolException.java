package org.archipelago.ext.control;

/** The other side sent what the protocol does not allow. */
final class ProtocolException extends Exception {
    private static final long serialVersionUID = 1;

    ProtocolException(String message) {
        super(message);
    }
}
