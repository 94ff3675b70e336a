package sim

// bug is a fault put on purpose into the simulated world or what it tells the
// engine, to see that an invariant fails. The world has one at most.
type bug uint8

const (
	noBug          bug = iota
	bugBlind           // the store takes bytes that are not those that were signed
	bugClaim           // an error is told as success
	bugForget          // what the store has confirmed is told as lost
	bugEcho            // each request goes out two hundred times
	bugHideAborted     // the store hides an aborted upload and keeps its parts
	bugDenies          // the store makes the object and says that the key was taken
	bugNoWake          // most wakes are forgotten
	bugNoTime          // a wake comes at once
	bugNoSignIn        // the server wants a sign-in for ever
	bugSessionTold     // a session is told to last an hour longer than it does
	bugProgress        // sent bytes are counted twice
	bugMute            // errors have no message
	bugDeafPause       // the engine is not told of a pause
	bugManyLanes       // the pool is told of more lanes
	bugRename          // a stop is told as a cancel
	bugLoseCalls       // a call is forgotten before it is dropped
	bugKeepCalls       // a dropped call is kept
	bugBadRecord       // a record is damaged
	bugRain            // it rains on a calm day
	bugs
)

// fails is the invariant that each makes fail.
var fails = [bugs]string{
	bugBlind: "success", bugClaim: "success", bugForget: "again", bugEcho: "requests", bugHideAborted: "orphans", bugDenies: "taken",
	bugNoWake: "wake", bugNoTime: "steps", bugNoSignIn: "time", bugSessionTold: "credentials", bugProgress: "progress", bugMute: "error",
	bugDeafPause: "held", bugManyLanes: "lanes", bugRename: "cancelled", bugLoseCalls: "commands", bugKeepCalls: "end", bugBadRecord: "record",
	bugRain: "calm",
}
