package org.archipelago.peer.host;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.ZZ_Result;

/** Who says that it sleeps and then sees nothing is rung by who submits just then. */
@JCStressTest
@Outcome(id = "false, false", expect = FORBIDDEN, desc = "it sleeps, and its request waits")
@Outcome(expect = ACCEPTABLE, desc = "seen, rung, or both")
@State
public class SleepStress {
    private final Pair pair = Pair.take();

    @Actor
    public void owner(ZZ_Result r) {
        pair.prepareToSleep();
        r.r1 = pair.hasEntry();
    }

    @Actor
    public void sender() {
        pair.submit();
    }

    @Arbiter
    public void look(ZZ_Result r) {
        r.r2 = pair.wasRung();
        pair.awake();
        if (pair.accept()) {
            pair.respond();
            pair.receive();
            pair.giveBack();
        }
    }
}
