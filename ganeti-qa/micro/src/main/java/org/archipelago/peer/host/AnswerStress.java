package org.archipelago.peer.host;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.archipelago.xseg.Op;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IJ_Result;

/** Who takes an answer out of a ring finds in its slot what came of the request; its cookie is still its own. */
@JCStressTest
@Outcome(id = "-1, -1", expect = ACCEPTABLE, desc = "has not come yet")
@Outcome(id = "5, 77", expect = ACCEPTABLE, desc = "has come, whole")
@Outcome(expect = FORBIDDEN)
@State
public class AnswerStress {
    private final Pair pair = Pair.take();

    public AnswerStress() {
        pair.asked.op(Op.READ);
        pair.submit();
        pair.accept();
    }

    @Actor
    public void server() {
        pair.accepted.serviced(77);
        pair.accepted.complete(5);
        pair.respond();
    }

    @Actor
    public void owner(IJ_Result r) {
        if (pair.receive()) {
            r.r1 = pair.asked.status();
            r.r2 = pair.asked.serviced();
        } else {
            r.r1 = -1;
            r.r2 = -1;
        }
    }

    @Arbiter
    public void end(IJ_Result r) {
        if (r.r1 < 0) {
            pair.receive();
        }
        pair.giveBack();
    }
}
