package org.archipelago.peer.volume;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.archipelago.peer.Peer;
import org.archipelago.peer.host.Host;
import org.archipelago.peer.host.Reactor;
import org.archipelago.peer.host.RequestPool;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;

/** What stands between a node and its store: fails, delays, reorders and holds requests as its rule says. */
public final class Weather {
    private static final int AT_ONCE = 512;
    private static final long HELD = -1;

    /** How much of a request takes effect. */
    enum Effect { NONE, HALF, WHOLE }

    /**
     * What becomes of a request.
     *
     * @param errno that it is answered with; 0: what the store says
     * @param effect what it does to the store; HALF: of a write, the first half
     * @param before nanoseconds until it takes effect
     * @param after nanoseconds from then until it is answered
     */
    record Fate(int errno, Effect effect, long before, long after) {
        static final Fate FINE = new Fate(0, Effect.WHOLE, 0, 0);

        static Fate failed(int errno) {
            return new Fate(errno, Effect.NONE, 0, 0);
        }

        static Fate late(long nanos) {
            return new Fate(0, Effect.WHOLE, nanos, 0);
        }

        /** Until {@link Weather#release}. */
        static Fate held() {
            return late(HELD);
        }

        static Fate heldAfter() {
            return new Fate(0, Effect.WHOLE, 0, HELD);
        }
    }

    /** Decides on the reactor's thread. */
    interface Rule {
        Fate of(Request request);
    }

    private record Held(Reactor reactor, Runnable rest, String what) {}

    private final List<Held> held = new ArrayList<>();
    private volatile Rule rule = request -> Fate.FINE;
    private volatile boolean over;

    void rule(Rule newRule) {
        rule = newRule;
    }

    void fair() {
        rule = request -> Fate.FINE;
    }

    /** From now on nothing reaches the store, and nothing is answered. */
    void end() {
        over = true;
    }

    int held() {
        synchronized (held) {
            return held.size();
        }
    }

    /** Lets go on what is held, in order. */
    void release() {
        release(what -> true);
    }

    /** The same for those whose operation and target, "write 5f0c-00000001-00000000", are so. */
    void release(Predicate<String> which) {
        List<Held> free = new ArrayList<>();
        synchronized (held) {
            held.removeIf(one -> which.test(one.what) && free.add(one));
        }
        free.forEach(one -> one.reactor.execute(one.rest));
    }

    /** The peer behind the weather. */
    Peer over(Host host, Reactor reactor, Peer peer) {
        RequestPool copies = host.pool(reactor, "weather", AT_ONCE, 0);
        return request -> {
            if (!over) {
                Fate fate = rule.of(request);
                later(reactor, fate.before, request, () -> enact(reactor, copies, peer, request, fate));
            }
        };
    }

    private void later(Reactor reactor, long nanos, Request request, Runnable task) {
        if (nanos == HELD) {
            synchronized (held) {
                held.add(new Held(reactor, task, Op.name(request.op()) + " " + request.target()));
            }
        } else if (nanos > 0) {
            reactor.schedule(nanos, task);
        } else {
            task.run();
        }
    }

    private void enact(Reactor reactor, RequestPool copies, Peer peer, Request request, Fate fate) {
        if (over) {
            return;
        }
        if (fate.effect == Effect.NONE) {
            later(reactor, fate.after, request, () -> answer(request, fate.errno, 0));
            return;
        }
        Request copy = copies.take();
        long length = fate.effect == Effect.HALF && request.op() == Op.WRITE ? request.length() / 2 : request.length();
        copy.op(request.op()).flags(request.flags()).targetOf(request).range(request.offset(), length)
            .data(request.dataAddress(), request.dataLength())
            .onCompletion(done -> {
                int status = fate.errno != 0 ? fate.errno : done.status();
                long serviced = done.serviced();
                copies.release(done);
                later(reactor, fate.after, request, () -> answer(request, status, serviced));
            });
        peer.accept(copy);
    }

    private void answer(Request request, int status, long serviced) {
        if (!over) {
            request.serviced(serviced).complete(status);
        }
    }
}
