package io.carillon.node.api;

import io.carillon.node.session.EndpointSettings;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.http.converter.ByteArrayHttpMessageConverter;
import org.springframework.http.converter.HttpMessageConverters;
import org.springframework.http.converter.StringHttpMessageConverter;
import org.springframework.http.converter.json.JacksonJsonHttpMessageConverter;
import org.springframework.web.context.WebApplicationContext;
import org.springframework.web.servlet.HandlerExceptionResolver;
import org.springframework.web.servlet.ModelAndView;
import org.springframework.web.servlet.config.annotation.WebMvcConfigurationSupport;
import org.springframework.web.servlet.mvc.method.annotation.RequestMappingHandlerMapping;
import tools.jackson.databind.json.JsonMapper;

/** Wires this room's controllers inside a servlet application: JSON, problems, and nothing of Spring MVC's own taste. */
@Configuration(proxyBeanMethods = false)
@ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.SERVLET)
class ServletApiConfiguration extends WebMvcConfigurationSupport {
    private static final Logger log = LoggerFactory.getLogger(ServletApiConfiguration.class);

    @Bean
    ServletApi servletApi(
            WebApplicationContext context,
            @Qualifier("requestMappingHandlerMapping") RequestMappingHandlerMapping calls,
            Gate gate,
            EndpointSettings endpoints) {
        return new ServletApi(context, calls, gate, endpoints);
    }

    @Override
    protected void configureMessageConverters(HttpMessageConverters.ServerBuilder converters) {
        converters
                .disableDefaults()
                .addCustomConverter(new ByteArrayHttpMessageConverter())
                .withStringConverter(new StringHttpMessageConverter())
                .withJsonConverter(new JacksonJsonHttpMessageConverter(JsonMapper.shared()));
    }

    @Override
    protected void configureHandlerExceptionResolvers(List<HandlerExceptionResolver> resolvers) {
        resolvers.add((request, response, handler, failure) -> answered(failure, response));
    }

    private static @Nullable ModelAndView answered(
            Exception failure, jakarta.servlet.http.HttpServletResponse response) {
        try {
            ServletApi.write(response, Problems.of(failure));
        } catch (IOException e) {
            log.debug("A caller left before its answer.");
        }
        return new ModelAndView();
    }
}
