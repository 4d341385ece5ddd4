package org.archipelago.peer.mapper;

import com.google.gson.JsonObject;

/**
 * Something that is wrong with what a volume consists of.
 *
 * @param object that is damaged
 * @param state what can be done, or was
 */
record Finding(String object, String problem, State state) {
    /** MENDABLE: what is right can be proven; LOST: it cannot. */
    enum State { MENDABLE, MENDED, LOST }

    static Finding lost(String object, String problem) {
        return new Finding(object, problem, State.LOST);
    }

    static Finding mendable(String object, String problem, boolean mended) {
        return new Finding(object, problem, mended ? State.MENDED : State.MENDABLE);
    }

    JsonObject json() {
        JsonObject json = new JsonObject();
        json.addProperty("object", object);
        json.addProperty("problem", problem);
        json.addProperty("state", state.name().toLowerCase(java.util.Locale.ROOT));
        return json;
    }
}
