package io.carillon.node.app;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.time.ZoneId;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;
import org.springframework.util.unit.DataSize;

class LineSettingsTest {
    private static LineSettings bind(Map<String, String> properties) {
        return new Binder(new MapConfigurationPropertySource(properties))
                .bindOrCreate("carillon.line", LineSettings.class);
    }

    @Test
    void aNodeThatWasToldNothingHasTheDefaults() {
        assertThat(bind(Map.of()))
                .isEqualTo(new LineSettings(
                        ZoneId.of("Asia/Shanghai"),
                        100_000,
                        2_000,
                        100_000,
                        100_000,
                        DataSize.ofMegabytes(32),
                        Duration.ofDays(365)));
    }

    @Test
    void everySettingIsRead() {
        assertThat(bind(Map.of(
                        "carillon.line.zone", "Europe/Dublin",
                        "carillon.line.codes", "1",
                        "carillon.line.accounts", "2",
                        "carillon.line.incoming", "3",
                        "carillon.line.customers", "4",
                        "carillon.line.answers", "5KB",
                        "carillon.line.age", "6d")))
                .isEqualTo(new LineSettings(
                        ZoneId.of("Europe/Dublin"), 1, 2, 3, 4, DataSize.ofKilobytes(5), Duration.ofDays(6)));
    }

    @ParameterizedTest
    @CsvSource({"age, 23h", "answers, 1023B", "zone, Mars/Olympus"})
    void aBadValueStopsTheStart(String setting, String value) {
        assertThatThrownBy(() -> bind(Map.of("carillon.line." + setting, value)))
                .hasMessageContaining("carillon.line");
    }
}
