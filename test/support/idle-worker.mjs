// A worker process that does nothing but end when it is told to: for schedulers, which do not look at what a worker does.
// With WADI_TEST_STUBBORN it does not even do that.
if (process.env.WADI_TEST_STUBBORN === undefined) process.on("SIGTERM", () => process.exit(0));
else process.on("SIGTERM", () => undefined);
setInterval(() => undefined, 1000);
process.stdout.write("ready\n");
