package io.carillon.node.presence;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;

class PresenceSettingsTest {
    private static PresenceSettings bind(Map<String, String> properties) {
        return new Binder(new MapConfigurationPropertySource(properties))
                .bindOrCreate("carillon.presence", PresenceSettings.class);
    }

    @Test
    void aNodeThatWasToldNothingHasTheDefaults() {
        assertThat(bind(Map.of())).isEqualTo(PresenceSettings.defaults());
    }

    @Test
    void everySettingIsRead() {
        var properties = Map.ofEntries(
                Map.entry("carillon.presence.beat", "100ms"),
                Map.entry("carillon.presence.lease", "1s"),
                Map.entry("carillon.presence.leader", "300ms"),
                Map.entry("carillon.presence.collect", "2ms"),
                Map.entry("carillon.presence.batch", "100"),
                Map.entry("carillon.presence.neighbours", "3"),
                Map.entry("carillon.presence.steady", "500ms"),
                Map.entry("carillon.presence.grace", "1200ms"),
                Map.entry("carillon.presence.claim", "500ms"),
                Map.entry("carillon.presence.late", "2s"),
                Map.entry("carillon.presence.fence", "1h"),
                Map.entry("carillon.presence.self-check", "10m"),
                Map.entry("carillon.presence.audit", "200"));
        assertThat(bind(properties)).isEqualTo(RedisPresenceIT.fast());
    }

    @Test
    void aLeaseOfLessThanThreeBeatsStopsTheStartWithASentence() {
        assertThatThrownBy(() -> bind(Map.of("carillon.presence.lease", "2s")))
                .rootCause()
                .hasMessageContaining("carillon.presence.lease (PT2S) must be at least three times");
    }
}
