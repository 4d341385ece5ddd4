package org.archipelago.xseg;

/** Carries an answered request back to whoever submitted it; any thread may call it. */
@FunctionalInterface
public interface Responder {
    void respond(Request request);
}
