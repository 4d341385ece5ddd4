package org.archipelago.peer.mapper;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.volume.Node;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class VolumeListingTest {
    @TempDir
    Path store;

    private static List<JsonObject> list(Node node, String prefix) {
        List<JsonObject> volumes = new ArrayList<>();
        boolean more = true;
        while (more) {
            String after = volumes.isEmpty() ? "" : volumes.get(volumes.size() - 1).get("name").getAsString();
            Reply reply = node.json(Op.LIST, prefix, "{\"after\":\"" + after + "\"}");
            assertThat(reply.status()).as(reply.message()).isZero();
            JsonObject page = JsonParser.parseString(reply.message()).getAsJsonObject();
            for (JsonElement volume : page.getAsJsonArray("volumes")) {
                volumes.add(volume.getAsJsonObject());
            }
            more = page.get("more").getAsBoolean();
        }
        return volumes;
    }

    private static void ok(Reply reply) {
        assertThat(reply.status()).as(reply.message()).isZero();
    }

    @Test
    void whatIsListedIsWhatInfoTells() throws Exception {
        int count = 60;
        try (Node node = new Node("n1", store, 2)) {
            List<String> names = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                String name = "v%03d".formatted(i);
                String note = "x\u00e9\u20ac".repeat(i % 10 == 0 ? 1000 : 3); // so that there are several pages
                ok(node.json(Op.CREATE, name, "{\"size\": 4194304, \"metadata\": {\"note\": \"" + note + "\"}}"));
                names.add(name);
            }
            for (int i = 0; i < count; i += 5) {
                ok(node.call(Op.OPEN, i % 2 == 0 ? Op.EXCLUSIVE : 0, names.get(i)));
                ok(node.call(Op.LOCK, names.get(i + 1)));
            }
            ok(node.call(Op.OPEN, Op.EXCLUSIVE, "v011"));
            ok(node.call(Op.OPEN, Op.SHARED, "v011"));
            ok(node.json(Op.SNAPSHOT, "v012", "{\"name\": \"v012snapshot\"}"));
            names.add("v012snapshot");
            ok(node.json(Op.CREATE, "other", "{\"size\": 4194304}"));
            Collections.sort(names);
            List<JsonObject> listed = list(node, "v");
            assertThat(listed.stream().map(volume -> volume.get("name").getAsString())).isEqualTo(names);
            for (JsonObject volume : listed) {
                assertThat(volume).isEqualTo(JsonParser.parseString(node.call(Op.INFO, volume.get("name").getAsString()).message()));
            }
            assertThat(list(node, "*")).hasSize(names.size() + 1);
            assertThat(list(node, "none")).isEmpty();
        }
    }

    @Test
    void aDamagedOneIsListedAsDamaged() throws Exception {
        try (Node node = new Node("n1", store, 1)) {
            ok(node.json(Op.CREATE, "a", "{\"size\": 4194304}"));
            ok(node.json(Op.CREATE, "b", "{\"size\": 4194304}"));
            try (Stream<Path> files = Files.walk(store)) {
                Path header = files.filter(file -> file.getFileName().toString().equals("vol-a")).findFirst().orElseThrow();
                Files.write(header, new byte[] {0, -1, '"', '\\'});
            }
            List<JsonObject> listed = list(node, "*");
            assertThat(listed.stream().map(volume -> volume.get("kind").getAsString())).containsExactly("damaged", "volume");
            assertThat(listed.get(0).get("problem").getAsString()).contains("volume a");
        }
    }

    @Test
    void ofVeryManyTheFirstAreKept() {
        long seed = Long.getLong("archipelago.seed", System.nanoTime());
        System.out.println("VolumeListingTest: seed " + seed);
        Random random = new Random(seed);
        for (int round = 0; round < 100; round++) {
            TreeSet<String> all = new TreeSet<>();
            for (int i = random.nextInt(50); i > 0; i--) {
                all.add("v" + random.nextInt(1000));
            }
            List<String> shuffled = new ArrayList<>(all);
            Collections.shuffle(shuffled, random);
            List<String> told = new ArrayList<>();
            boolean more = true;
            while (more) {
                String after = told.isEmpty() ? "" : told.get(told.size() - 1);
                VolumeListing listing = new VolumeListing("v", after, 1 + random.nextInt(20));
                shuffled.forEach(name -> listing.add(name, new byte[0]));
                while (listing.next().isPresent() && random.nextInt(30) > 0) {
                    assertThat(listing.goesOn("v", told.isEmpty() ? "" : told.get(told.size() - 1))).isTrue();
                    assertThat(listing.goesOn("w", after)).isFalse();
                    told.add(listing.next().orElseThrow());
                    listing.pass();
                }
                more = listing.hasMore();
            }
            assertThat(told).isEqualTo(new ArrayList<>(all));
        }
    }
}
