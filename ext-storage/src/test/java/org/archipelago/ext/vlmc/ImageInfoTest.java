package org.archipelago.ext.vlmc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.archipelago.ext.Failure;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ImageInfoTest {
    @Test
    void tellsWhatMatters() {
        ImageInfo plain = ImageInfo.parse("f", "{\"format\":\"qcow2\",\"virtual-size\":1073741824,\"format-specific\":{\"data\":{}}}");
        assertThat(plain).isEqualTo(new ImageInfo("qcow2", 1 << 30, "", false));
        assertThat(ImageInfo.parse("f", "{\"format\":\"qcow2\",\"virtual-size\":1,\"backing-filename\":\"/etc/shadow\"}").otherFile())
            .isEqualTo("/etc/shadow");
        assertThat(ImageInfo.parse("f", "{\"format\":\"qcow2\",\"virtual-size\":1,\"format-specific\":{\"data\":{\"data-file\":\"x\"}}}")
            .otherFile()).isEqualTo("x");
        assertThat(ImageInfo.parse("f", "{\"format\":\"qcow2\",\"virtual-size\":1,\"encrypted\":true}").encrypted()).isTrue();
    }

    @Test
    void anExtentOfAVmdkIsItsOwnFileOrAnother() {
        String vmdk = "{\"format\":\"vmdk\",\"virtual-size\":1,\"filename\":\"./f\",\"format-specific\":{\"data\":{\"extents\":"
            + "[{\"filename\":\"./f\"},{\"filename\":\"%s\"}]}}}";
        assertThat(ImageInfo.parse("f", vmdk.formatted("./f")).otherFile()).isEmpty();
        assertThat(ImageInfo.parse("f", vmdk.formatted("/etc/shadow")).otherFile()).isEqualTo("/etc/shadow");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "null", "[]", "{}", "{\"virtual-size\":{}}", "\u0000", "{\"format\":\"raw\",\"virtual-size\":\"x\"}",
        "{\"format\":\"vmdk\",\"virtual-size\":1,\"format-specific\":{\"data\":{\"extents\":7}}}"})
    void refusesWhatQemuWouldNotPrint(String text) {
        assertThatThrownBy(() -> ImageInfo.parse("f", text)).isInstanceOf(Failure.class);
    }
}
