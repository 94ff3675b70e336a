package config

import "github.com/chunksign/chunksign/server/destination"

// compat reads which libraries' pages may use a destination, and holds it against
// what their requests need.
func (d *document) compat(o *object, dst *destination.Destination) {
	for _, item := range o.list("compat") {
		switch item.Value {
		case "evaporate":
			dst.Compat.Evaporate = true
		case "s3direct":
			dst.Compat.S3Direct = true
		default:
			d.mistake(item, "compat has %q; write evaporate or s3direct", item.Value)
		}
	}
	if dst.Compat == (destination.Compat{}) {
		return
	}
	switch s := dst.Store; {
	case dst.Presigned && s != nil && s.STS.RoleARN == "":
		o.mistake("compat", "compat is there and the store %s has no sts, so that there is no session to sign with; "+
			"write sts: { role_arn: … } there and signing: session here, or leave compat out", s.Name)
	case dst.Presigned:
		o.mistake("compat", "compat is there with signing: presigned, whose limits these libraries' requests do not keep; "+
			"write signing: session, or leave compat out")
	}
	if !dst.Compat.S3Direct {
		return
	}
	if !dst.Scope.Prefix() {
		o.mistake("compat", "compat has s3direct, whose views sign for all files of a page with one session; "+
			"write scope: prefix, or scope: shared for a folder of all, or leave s3direct out")
	}
	if !dst.Overwrite && dst.Store != nil && dst.Store.AWS() {
		o.mistake("compat", "compat has s3direct, whose client cannot say If-None-Match, which AWS then demands of a session; "+
			"leave s3direct out, or let objects be overwritten where {uuid} in key keeps one from replacing another")
	}
}
