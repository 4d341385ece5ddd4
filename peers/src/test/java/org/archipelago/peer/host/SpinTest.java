package org.archipelago.peer.host;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class SpinTest {
    private static final long BOUND = 50_000;
    private static final long RARE = 1_000_000;

    private final Spin spin = new Spin(BOUND);

    /** What a reactor does when work comes that long after the last; whether it found it looking. */
    private boolean workAfter(long nanos) {
        if (nanos < spin.limit()) {
            spin.found(nanos);
            return true;
        }
        spin.sleptThrough(nanos);
        return false;
    }

    @Test
    void workThatComesSoon_isLookedFor_notForLongerThanItTakes() {
        for (int i = 0; i < 100; i++) {
            assertThat(workAfter(3_000)).isTrue();
        }
        assertThat(spin.limit()).isBetween(6_000L, 20_000L);
    }

    @Test
    void rareWork_isSleptFor_butForAProbe() {
        long looked = 0;
        for (int i = 0; i < 1000; i++) {
            if (i >= 100) {
                looked += spin.limit();
            }
            workAfter(RARE);
        }
        assertThat(looked).isBetween(1L, 900 * BOUND / 12);
    }

    @Test
    void whatSleepAloneMadeSlow_isFoundOut() {
        for (int i = 0; i < 200; i++) {
            workAfter(RARE);
        }
        int found = 0;
        for (int i = 0; i < 64; i++) {
            found += workAfter(spin.limit() > 0 ? 10_000 : 2 * BOUND) ? 1 : 0; // as long as it sleeps, waking takes most of it
        }
        assertThat(found).isGreaterThan(40);
    }

    @Test
    void whoLosesTheCore_sleepsAtOnce() {
        workAfter(3_000);
        spin.lostCore();
        assertThat(workAfter(3_000)).isFalse();
    }

    @Test
    void noBound_neverLooks() {
        Spin none = new Spin(0);
        for (int i = 0; i < 100; i++) {
            assertThat(none.limit()).isZero();
            none.sleptThrough(i);
        }
    }
}
