package org.archipelago.map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.Test;

class VolumeHeaderTest {
    private static final String ID = "00112233445566778899aabbccddeeff";

    private static VolumeHeader header() {
        return VolumeHeader.create(ID, 10L << 30, "map-x-1", "debian13", 1763800000);
    }

    @Test
    void whatIsWritten_isRead() {
        VolumeHeader header = header().goesOn("map-x-2", true, 8, 9).withSize(11L << 30);
        assertThat(VolumeHeader.decode("v", header.encode())).isEqualTo(header);
        VolumeHeader snapshot = header.snapshot(ID, "map-x-2", "v", 5);
        assertThat(VolumeHeader.decode("s", snapshot.encode())).isEqualTo(snapshot);
        assertThat(snapshot.readOnly()).isTrue();
    }

    @Test
    void textObjects_keepAnyText() {
        Map<String, String> fields = Map.of("owner", "instance 1\nwith=odd & text", "ü", "ö");
        assertThat(TextObject.decode("info", 1, TextObject.encode("info", 1, fields))).isEqualTo(fields);
    }

    @Test
    void anotherVersion_isRefusedWithBothNamed() {
        byte[] newer = new String(header().encode(), StandardCharsets.UTF_8).replace("volume 1\n", "volume 2\n")
            .getBytes(StandardCharsets.UTF_8);
        assertThatThrownBy(() -> VolumeHeader.decode("v", newer)).hasMessageContaining("format version 2")
            .hasMessageContaining("reads 1");
    }

    @Test
    void namesThatLeaveTheStore_areRefused() {
        assertThat(VolumeName.problem("vm-1.ext.disk0")).isEmpty();
        assertThat(VolumeName.problem("a".repeat(80))).isEmpty();
        for (String bad : new String[] {"", "a/b", "..", ".hidden", "-x", "a b", "a\nb", "ä", "a".repeat(81), "a\0b"}) {
            assertThat(VolumeName.problem(bad)).as(bad).isPresent();
        }
    }
}
