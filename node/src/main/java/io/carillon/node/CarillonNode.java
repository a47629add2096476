package io.carillon.node;

import io.carillon.node.ops.Alone;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.ApplicationContextInitializer;
import org.springframework.context.ConfigurableApplicationContext;

/** One node in a process of its own. */
@SpringBootApplication
public class CarillonNode {
    public static void main(String[] arguments) {
        var application = new SpringApplication(CarillonNode.class);
        application.setWebApplicationType(WebApplicationType.REACTIVE);
        application.addInitializers(initializer());
        application.run(arguments);
    }

    /** Completes what the settings leave open before the node starts. */
    public static ApplicationContextInitializer<ConfigurableApplicationContext> initializer() {
        return new Alone();
    }
}
