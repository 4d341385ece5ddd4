package org.archipelago.peer.host;

import static org.assertj.core.api.Assertions.assertThat;

import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentParameters;
import org.junit.jupiter.api.Test;

class DataAreasTest {
    private static final long BYTES = 8192;

    private final DataAreas areas = new DataAreas();

    private static Segment segment() {
        return Segment.anonymous(new SegmentParameters(2, 8, 8, 0600, BYTES));
    }

    @Test
    void dataOfASegmentIsHeld_itsHeaderAndWhatIsBeyondAreNot() {
        try (Segment segment = segment()) {
            areas.add(segment);
            long from = segment.base() + segment.dataAt();
            assertThat(areas.hold(from, BYTES)).isTrue();
            assertThat(areas.hold(from + BYTES, 0)).isTrue();
            assertThat(areas.hold(from, BYTES + 1)).isFalse();
            assertThat(areas.hold(from - 1, 1)).isFalse();
            assertThat(areas.hold(from + BYTES - 1, 2)).isFalse();
            assertThat(areas.hold(from, -1)).isFalse();
            assertThat(areas.hold(from + 1, Long.MAX_VALUE)).isFalse();
        }
    }

    @Test
    void aSegmentThatIsRemovedIsHeldNoMore_theOthersStay() {
        try (Segment one = segment(); Segment two = segment(); Segment three = segment()) {
            areas.add(one);
            areas.add(two);
            areas.add(three);
            areas.remove(two);
            areas.remove(two);
            assertThat(areas.hold(one.base() + one.dataAt(), BYTES)).isTrue();
            assertThat(areas.hold(two.base() + two.dataAt(), BYTES)).isFalse();
            assertThat(areas.hold(three.base() + three.dataAt(), BYTES)).isTrue();
        }
    }
}
