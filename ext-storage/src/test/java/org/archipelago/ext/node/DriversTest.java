package org.archipelago.ext.node;

import static org.assertj.core.api.Assertions.assertThat;

import org.archipelago.config.EndpointSettings.Device;
import org.archipelago.ext.node.Mapping.Kind;
import org.junit.jupiter.api.Test;

class DriversTest {
    @Test
    void auto_takesTheBestThatIsThere() {
        assertThat(Drivers.inOrder(Device.AUTO)).containsExactly(Kind.XSEGBD, Kind.NBD, Kind.LOOP);
        assertThat(Drivers.choose(Device.AUTO)).isEqualTo(
            Drivers.isThere(Kind.XSEGBD) ? Kind.XSEGBD : Drivers.isThere(Kind.NBD) ? Kind.NBD : Kind.LOOP);
    }

    @Test
    void named_isTakenWhetherItIsThereOrNot() {
        assertThat(Drivers.choose(Device.XSEGBD)).isEqualTo(Kind.XSEGBD);
        assertThat(Drivers.choose(Device.NBD)).isEqualTo(Kind.NBD);
        assertThat(Drivers.choose(Device.LOOP)).isEqualTo(Kind.LOOP);
        assertThat(Drivers.choose(Device.NONE)).isEqualTo(Kind.NONE);
    }

    @Test
    void nbdOfAnOldKernel_isNotTaken() {
        for (String old : new String[] {"4.19.0-27-amd64", "5.10.0-36-amd64", "5.13.19", "2.6.32", "", "x.y"}) {
            assertThat(NbdDisk.isNewEnough(old)).as(old).isFalse();
        }
        for (String enough : new String[] {"5.14.0", "5.14-rc1", "6.1.0-56-amd64", "6.12.94+deb12-amd64", "10.0.1"}) {
            assertThat(NbdDisk.isNewEnough(enough)).as(enough).isTrue();
        }
    }
}
