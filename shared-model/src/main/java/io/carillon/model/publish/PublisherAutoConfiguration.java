package io.carillon.model.publish;

import io.carillon.model.redis.Keys;
import java.time.InstantSource;
import java.util.function.Function;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.core.env.Environment;
import org.springframework.data.redis.connection.RedisConnectionFactory;
import tools.jackson.databind.json.JsonMapper;

/**
 * An {@link EventPublisher} for every Spring Boot service that has a Redis ({@code spring.data.redis.*}) and this jar.
 * {@code carillon.publisher.enabled=false} leaves it out.
 */
@AutoConfiguration(
        afterName = {
            "org.springframework.boot.data.redis.autoconfigure.DataRedisAutoConfiguration",
            "org.springframework.boot.jackson.autoconfigure.JacksonAutoConfiguration"
        })
@ConditionalOnClass(RedisConnectionFactory.class)
@ConditionalOnBean(RedisConnectionFactory.class)
@ConditionalOnProperty(name = "carillon.publisher.enabled", matchIfMissing = true)
@EnableConfigurationProperties(PublisherSettings.class)
public class PublisherAutoConfiguration {
    @Bean
    @ConditionalOnMissingBean
    EventPublisher eventPublisher(
            RedisConnectionFactory connections,
            PublisherSettings settings,
            ObjectProvider<JsonMapper> mappers,
            Environment environment) {
        var keys = new Keys(settings.prefix());
        var link = new SpringPublisherLink(connections, keys, settings.mode());
        JsonMapper mapper = mappers.getIfUnique(JsonMapper::shared);
        String service =
                settings.service() != null ? settings.service() : environment.getProperty("spring.application.name");
        Function<Object, byte[]> json = mapper::writeValueAsBytes;
        return new EventPublisher(link, keys, settings.way(), service, json, InstantSource.system());
    }
}
