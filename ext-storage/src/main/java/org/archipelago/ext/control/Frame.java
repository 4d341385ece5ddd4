package org.archipelago.ext.control;

import java.nio.charset.StandardCharsets;

/** A frame that was received; see {@link FrameDescriptor}. The payload belongs to the receiver. */
record Frame(byte type, byte[] payload) {
    String text() {
        return new String(payload, StandardCharsets.UTF_8);
    }
}
