package sim

import "testing"

// regressions are seeds that failed once, and why. A change to what scenario.go
// draws makes other worlds of them: most were chosen by playing the engine of
// before each fix, and can be so again.
var regressions = []struct {
	seed uint64
	why  string
}{
	{34, "the end left a renewal under way"},
	{7, "done with no byte confirmed, where the server's word settled it"},
	{32, "a server whose clock is ahead of the STS: sessions were renewed every 30 seconds for ever"},
	{3499, "cancelled, though a Complete whose reply was lost had made the object"},
	{8687, "the same at a fixed key"},
	{3590, "cancelled, though a PutObject whose reply was lost had made the object"},
	{4239, "a cancel while the server looked was forgotten, and all parts were sent again"},
	{4448, "key_taken by an object of our own, after a pause by force"},
	{251, "the same"},
	{4373, "somebody else's object of the same size was taken for ours"},
	{8615, "the same, where the renewal said already_complete"},
	{1523, "a cancel did not wait for a store that was slow to store the last bytes"},
	{8188, "a pause after the cancel sent the part again"},
	{895, "parts were sent again because the upload began anew before the server had looked"},
	{113, "another file was chosen, and the upload that an earlier life had completed was its"},
	{32932, "a page of ListParts that failed led back to the first page, without end"},
	{17120, "a page that asked for its grant renewed the one before, and was told that the key was taken"},
	{10012, "a page that stood still longer than uploads may fail gave up at the next failure"},
	{3269, "a reply that came to a page that stood still was taken for a fresh one"},
	{22460, "the same, at a store whose refusals a page cannot read"},
	{544, "a Complete that named a part which the store had cleared away was the end"},
	{22820, "a 404 whose body was cut off was the end"},
	{17193, "a conflict left the parts at the store, and so did the cancel after it"},
	{37731, "a part that was dropped with its bytes sent was stored after the abort"},
	{348153, "parts were sent again to a store that lists no checksums"},
	{280264, "key_taken by what an earlier life's Complete had made, which took minutes"},
	{739942, "a server that is silent three times, for five minutes each"},
	{39833, "what an upload had under way when it lost lanes did not count: nine parts with four lanes"},
	{31236, "done, by somebody else's object, after the cancel of an upload that an earlier life had completed"},
	{216145, "parts that a store listed without checksums, and whose ETags it hid, had to count as stored"},
	{772067, "parts under way for a multipart upload that the store had lost were forgotten, not dropped"},
}

func TestRegressions(t *testing.T) {
	for _, r := range regressions {
		for _, presigned := range []bool{false, true} {
			s := draw(r.seed)
			s.presigned = presigned
			if got := run(s, r.seed, nil); got.Violation != "" {
				t.Errorf("presigned: %v; it failed before because %s:", presigned, r.why)
				report(t, r.seed, presigned)
			}
		}
	}
}
