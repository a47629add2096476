package io.carillon.node;

import io.carillon.node.ops.Alone;
import io.carillon.node.ops.Retirement;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.ApplicationContextInitializer;
import org.springframework.context.ConfigurableApplicationContext;
import sun.misc.Signal;

/** One node in a process of its own. */
@SpringBootApplication
public class CarillonNode {
    public static void main(String[] arguments) {
        var application = new SpringApplication(CarillonNode.class);
        application.setWebApplicationType(WebApplicationType.REACTIVE);
        application.addInitializers(initializer());
        application.setDefaultProperties(Map.of("carillon.ops.own-process", true));
        exitCleanlyOnTermination(application.run(arguments));
    }

    /** A drained node ends with 0, not with the 143 of a JVM that a signal ended. */
    private static void exitCleanlyOnTermination(ConfigurableApplicationContext context) {
        Retirement retirement = context.getBean(Retirement.class);
        Signal.handle(new Signal("TERM"), signal -> retirement.begin());
    }

    /** Completes what the settings leave open before the node starts. */
    public static ApplicationContextInitializer<ConfigurableApplicationContext> initializer() {
        return new Alone();
    }
}
