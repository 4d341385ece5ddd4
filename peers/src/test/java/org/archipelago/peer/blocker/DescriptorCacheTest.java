package org.archipelago.peer.blocker;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.archipelago.xseg.Target;
import org.junit.jupiter.api.Test;

final class DescriptorCacheTest {
    @Test
    void keepsWhatIsPinnedAndForgetsTheRest() {
        long seed = System.nanoTime();
        System.out.println("DescriptorCacheTest: seed " + seed);
        Random random = new Random(seed);
        int capacity = 13;
        DescriptorCache cache = new DescriptorCache(capacity);
        Map<String, Descriptor> pinned = new HashMap<>();
        Set<Integer> open = new HashSet<>();
        int nextFd = 1;
        for (int i = 0; i < 100_000; i++) {
            String name = "object-" + random.nextInt(40);
            Descriptor d = cache.find(Target.of(name));
            assertThat(d != null || !pinned.containsKey(name)).isTrue();
            switch (random.nextInt(8)) {
                case 0 -> {
                    if (d != null) {
                        cache.detach(d);
                        pinned.remove(name);
                        assertThat(open.remove(d.fd)).isTrue();
                    }
                }
                case 1, 2 -> {
                    if (pinned.containsKey(name)) {
                        assertThat(cache.unpin(d)).isFalse();
                        if (d.pins == 0) {
                            pinned.remove(name);
                        }
                    }
                }
                default -> {
                    if (d != null) {
                        if (pinned.size() < capacity - 2) {
                            cache.pin(d);
                            pinned.put(name, d);
                        }
                    } else if (cache.hasRoom()) {
                        d = new Descriptor(Target.of(name), name);
                        Descriptor gone = cache.add(d);
                        int evicted = gone == null ? -1 : gone.fd;
                        assertThat(evicted < 0 || open.remove(evicted)).isTrue();
                        d.fd = nextFd++;
                        open.add(d.fd);
                        cache.unpin(d);
                    }
                }
            }
            assertThat(open.size()).isLessThanOrEqualTo(capacity);
            assertThat(cache.hasRoom()).isEqualTo(pinned.size() < capacity);
        }
        Set<Integer> found = new HashSet<>();
        cache.forEach(d -> found.add(d.fd));
        assertThat(found).isEqualTo(open);
    }

    @Test
    void whatIsDetachedIsClosedWhenItsLastPinGoes() {
        DescriptorCache cache = new DescriptorCache(2);
        Descriptor d = new Descriptor(Target.of("a"), "a");
        cache.add(d);
        cache.pin(d);
        cache.detach(d);
        assertThat(cache.find(Target.of("a"))).isNull();
        assertThat(cache.unpin(d)).isFalse();
        assertThat(cache.unpin(d)).isTrue();
        assertThat(cache.hasRoom()).isTrue();
    }
}
