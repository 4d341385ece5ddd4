package org.archipelago.peer.endpoint;

import com.google.gson.JsonElement;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import org.archipelago.peer.host.Caller;
import org.archipelago.peer.host.Host;
import org.archipelago.peer.host.Reactor;
import org.archipelago.peer.host.RequestPool;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Target;

/** Asks the composer how large a volume is, without waiting; a few at a time. For one reactor's thread. */
final class VolumeQuery {
    private static final int AT_ONCE = 2;

    /** Who asks. */
    interface Asker {
        /**
         * @param status 0 or a positive errno
         * @param size bytes, where status is 0
         * @param message of a failure, perhaps empty
         */
        void told(int status, long size, boolean readOnly, String message);
    }

    private record Question(Target target, Asker asker) {}

    private final Host host;
    private final Reactor reactor;
    private final int composerPort;
    private final RequestPool requests;
    private final ArrayDeque<Question> questions = new ArrayDeque<>();
    private boolean asking;

    VolumeQuery(Host host, Reactor reactor, int composerPort) {
        this.host = host;
        this.reactor = reactor;
        this.composerPort = composerPort;
        this.requests = host.pool(reactor, "nbd-info", AT_ONCE, Caller.PAYLOAD_MAX);
    }

    /** The asker is told once, perhaps before this returns. */
    void ask(Target target, Asker asker) {
        questions.add(new Question(target, asker));
        askNext();
    }

    private void askNext() {
        if (asking) {
            return; // called by an answer that came within a submit: the loop below goes on
        }
        asking = true;
        try {
            while (!questions.isEmpty() && !requests.isEmpty()) {
                Question question = questions.poll();
                Request request = requests.take();
                request.op(Op.INFO).target(question.target).range(0, 0).onCompletion(answer -> {
                    answered(answer, question.asker);
                    askNext();
                });
                host.submit(request, reactor, composerPort);
            }
        } finally {
            asking = false;
        }
    }

    private void answered(Request answer, Asker asker) {
        int status = answer.status();
        long size = answer.length();
        int length = (int) Math.max(0, Math.min(answer.serviced(), Caller.PAYLOAD_MAX));
        String text = new String(answer.payload(length), StandardCharsets.UTF_8);
        requests.release(answer);
        if (status != 0) {
            asker.told(status, 0, false, text);
        } else if (size < 0) {
            asker.told(Errno.EUCLEAN, 0, false, "the composer gave a negative size");
        } else {
            asker.told(0, size, isReadOnly(text), "");
        }
    }

    private static boolean isReadOnly(String json) {
        try {
            JsonElement description = JsonParser.parseString(json);
            if (!description.isJsonObject()) {
                return false;
            }
            JsonElement readOnly = description.getAsJsonObject().get("readOnly");
            return readOnly != null && readOnly.isJsonPrimitive() && readOnly.getAsBoolean();
        } catch (JsonParseException e) {
            return false;
        }
    }
}
