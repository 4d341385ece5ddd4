package org.archipelago.ext.node;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.archipelago.ext.node.Mapping.Kind;
import org.archipelago.ext.node.Mapping.State;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MappingStoreTest {
    @TempDir
    private Path run;

    private static Mapping mapping(String volume, int id) {
        return new Mapping(volume, "id-of-" + volume, id, State.ATTACHED, Kind.LOOP, "/dev/loop" + id, 17, "/run/x/" + volume + ".sock", 1234);
    }

    @Test
    void recordsOutliveTheirStore() {
        MappingStore store = new MappingStore(run);
        assertThat(store.all()).isEmpty();
        store.put(mapping("b", 2));
        store.put(mapping("a", store.freeId()));
        assertThat(store.freeId()).isEqualTo(3);
        assertThat(new MappingStore(run).all()).containsExactly(mapping("a", 1), mapping("b", 2));
        store.remove("a");
        assertThat(store.freeId()).isEqualTo(1);
        assertThat(new MappingStore(run).all()).containsExactly(mapping("b", 2));
        store.remove("never there");
    }

    @Test
    void findsByNameDeviceAndSocket() {
        MappingStore store = new MappingStore(run);
        store.put(mapping("a", 1));
        assertThat(store.find("a")).contains(mapping("a", 1));
        assertThat(store.find("/dev/loop1")).contains(mapping("a", 1));
        assertThat(store.find("/run/x/a.sock")).contains(mapping("a", 1));
        assertThat(store.find("/dev/loop2")).isEmpty();
        assertThat(store.find("")).isEmpty();
    }

    @Test
    void whatIsNoRecordIsSetAside() throws IOException {
        Path folder = Files.createDirectories(run.resolve("mapped"));
        new MappingStore(run).put(mapping("good", 1));
        Files.writeString(folder.resolve("empty.json"), "");
        Files.writeString(folder.resolve("torn.json"), "{\"version\":1,\"vol");
        Files.writeString(folder.resolve("future.json"), "{\"version\":2}");
        Files.writeString(folder.resolve("liar.json"), Files.readString(folder.resolve("good.json")));
        assertThat(new MappingStore(run).all()).containsExactly(mapping("good", 1));
        assertThat(folder.resolve("torn.json.bad")).exists();
        assertThat(folder.resolve("liar.json.bad")).exists();
    }
}
