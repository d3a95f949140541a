import org.apache.kafka.common.protocol.Errors;

/** Prints the code and the name of every protocol error that Kafka knows. */
public final class ErrorNames {
    public static void main(String[] arguments) {
        for (Errors error : Errors.values()) {
            System.out.println(error.code() + " " + error.name());
        }
    }
}
