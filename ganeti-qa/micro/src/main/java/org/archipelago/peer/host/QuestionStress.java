package org.archipelago.peer.host;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.archipelago.xseg.Op;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IJJ_Result;

/** Who takes a request out of a ring finds in its slot what was asked. */
@JCStressTest
@Outcome(id = "-1, -1, -1", expect = ACCEPTABLE, desc = "has not come yet")
@Outcome(id = "2, 77, 78", expect = ACCEPTABLE, desc = "has come, whole")
@Outcome(expect = FORBIDDEN)
@State
public class QuestionStress {
    private final Pair pair = Pair.take();

    @Actor
    public void owner() {
        pair.asked.op(Op.WRITE).range(77, 78);
        pair.submit();
    }

    @Actor
    public void server(IJJ_Result r) {
        if (pair.accept()) {
            r.r1 = pair.accepted.op();
            r.r2 = pair.accepted.offset();
            r.r3 = pair.accepted.length();
        } else {
            r.r1 = -1;
            r.r2 = -1;
            r.r3 = -1;
        }
    }

    @Arbiter
    public void end(IJJ_Result r) {
        if (r.r1 < 0) {
            pair.accept();
        }
        pair.respond();
        pair.receive();
        pair.asked.op(Op.PING).range(0, 0).publish();
        pair.giveBack();
    }
}
