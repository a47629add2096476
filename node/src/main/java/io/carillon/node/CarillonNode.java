package io.carillon.node;

import io.carillon.node.ops.Alone;
import io.carillon.node.ops.Retirement;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.context.event.ApplicationReadyEvent;
import org.springframework.boot.context.event.ApplicationStartedEvent;
import org.springframework.context.ApplicationListener;
import org.springframework.context.ConfigurableApplicationContext;
import sun.misc.Signal;

/** One node in a process of its own. */
@SpringBootApplication(
        // Beside Netty's it would define the management server's factory a second time, where Tomcat is there, too.
        excludeName =
                "org.springframework.boot.tomcat.autoconfigure.actuate.web.server.TomcatReactiveManagementContextAutoConfiguration")
public class CarillonNode {
    /**
     * Where a node's own settings lie on the class path: not where Boot looks by itself, since in an application that has
     * a node inside they would be that application's.
     */
    static final String SETTINGS = "carillon/";

    public static void main(String[] arguments) {
        SpringApplication application = application();
        application.setDefaultProperties(defaults(true));
        // From when it is reached, not only when all is ready.
        application.addListeners((ApplicationListener<ApplicationStartedEvent>)
                started -> exitCleanlyOnTermination(started.getApplicationContext()));
        // What the start leaves behind is garbage now. No client is there yet to wait, and a heap that never had to
        // hold it stays smaller for as long as the node lives; see docs/adr/0029-what-a-node-loads.md
        application.addListeners((ApplicationListener<ApplicationReadyEvent>) ready -> System.gc());
        application.run(arguments);
    }

    /** A drained node ends with 0, not with the 143 of a JVM that a signal ended. */
    private static void exitCleanlyOnTermination(ConfigurableApplicationContext context) {
        Retirement retirement = context.getBean(Retirement.class);
        Signal.handle(new Signal("TERM"), signal -> retirement.begin());
    }

    /** A node to run; its process is not the node's own, and does not end with it. */
    public static SpringApplication application() {
        var application = new SpringApplication(CarillonNode.class);
        application.setWebApplicationType(WebApplicationType.REACTIVE);
        // Completes what the settings leave open before the node starts.
        application.addInitializers(new Alone());
        application.setDefaultProperties(defaults(false));
        return application;
    }

    private static Map<String, Object> defaults(boolean ownProcess) {
        return Map.of(
                "carillon.ops.own-process",
                ownProcess,
                // The node's settings, and over them whatever lies where Boot looks.
                "spring.config.location",
                "classpath:/" + SETTINGS + ",optional:classpath:/;optional:classpath:/config/,"
                        + "optional:file:./;optional:file:./config/;optional:file:./config/*/");
    }
}
