package org.archipelago.map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class IdRecordTest {
    private static final String ID = "0123456789abcdef0123456789abcdef";
    private static final VolumeHeader HEADER = VolumeHeader.create(ID, 1 << 30, VolumeHeader.NONE, VolumeHeader.NONE, 1763800000);

    @Test
    void allStates_areReadAsTheyWereWritten() {
        IdRecord.Maker maker = new IdRecord.Maker("n1", "91ab");
        for (IdRecord record : List.of(IdRecord.creating("a", maker, HEADER), IdRecord.live("a", HEADER),
                IdRecord.renaming("a", "b", HEADER), IdRecord.removing("a", HEADER))) {
            assertThat(IdRecord.decode(ID, record.encode())).isEqualTo(record);
        }
        assertThat(new String(IdRecord.renaming("a", "b", HEADER).encode(), StandardCharsets.UTF_8))
            .startsWith("archipelago id 1\nstate live\nname a\nto b\nid " + ID + "\n");
    }

    @Test
    void recordOfAnotherId_orDamaged_isRefused() {
        byte[] bytes = IdRecord.live("a", HEADER).encode();
        assertThatThrownBy(() -> IdRecord.decode(ID.replace('0', '1'), bytes)).hasMessageContaining(ID);
        bytes[30] ^= 1;
        assertThatThrownBy(() -> IdRecord.decode(ID, bytes)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> IdRecord.decode(ID, HEADER.encode())).isInstanceOf(IllegalArgumentException.class);
    }
}
