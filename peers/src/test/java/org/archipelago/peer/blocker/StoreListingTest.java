package org.archipelago.peer.blocker;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

final class StoreListingTest {
    @Test
    void pagesHaveNoGapsWhateverTheOrderAndTheLengths() {
        long seed = System.nanoTime();
        System.out.println("StoreListingTest: seed " + seed);
        Random random = new Random(seed);
        for (int round = 0; round < 200; round++) {
            TreeSet<String> all = new TreeSet<>();
            for (int i = random.nextInt(60); i > 0; i--) {
                all.add("v" + Integer.toString(random.nextInt(1000), 36).repeat(1 + random.nextInt(12)));
            }
            List<String> shuffled = new ArrayList<>(all);
            List<String> told = new ArrayList<>();
            String after = "";
            boolean more = true;
            while (more) {
                Collections.shuffle(shuffled, random);
                int room = 100 + random.nextInt(100);
                StoreListing page = new StoreListing("v", after, room);
                shuffled.forEach(page::add);
                page.add("other");
                assertThat(page.answer().length).isLessThanOrEqualTo(room);
                JsonObject answer = JsonParser.parseString(new String(page.answer(), StandardCharsets.UTF_8)).getAsJsonObject();
                for (JsonElement name : answer.getAsJsonArray("names")) {
                    told.add(name.getAsString());
                }
                more = answer.get("more").getAsBoolean();
                if (more) {
                    after = told.get(told.size() - 1);
                }
            }
            assertThat(told).isEqualTo(new ArrayList<>(all));
        }
    }

    @Test
    void saysWhenNothingFits() {
        for (int room = 0; room <= 30; room++) { // from less than an answer without names takes
            StoreListing page = new StoreListing("", "", room);
            assertThat(page.isTooSmall()).isFalse();
            page.add("a-name");
            page.add("b-name");
            assertThat(page.isTooSmall()).as("room of %d", room).isTrue();
        }
    }

    @Test
    void namesThatAreNoneOfOursAreNotTold() {
        StoreListing page = new StoreListing("", "", 100);
        page.add(".nfs0001");
        page.add("a b");
        page.add("b");
        assertThat(new String(page.answer(), StandardCharsets.UTF_8)).isEqualTo("{\"names\":[\"b\"],\"more\":false}");
    }
}
