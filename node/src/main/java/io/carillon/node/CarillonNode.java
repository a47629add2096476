package io.carillon.node;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** One node in a process of its own. */
@SpringBootApplication
public class CarillonNode {
    public static void main(String[] arguments) {
        var application = new SpringApplication(CarillonNode.class);
        application.setWebApplicationType(WebApplicationType.REACTIVE);
        application.run(arguments);
    }
}
