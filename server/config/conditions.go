package config

import (
	"net/netip"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/chunksign/chunksign/server/destination"
)

// conditions reads what narrows a destination's sessions beyond their key.
func (d *document) conditions(o *object, dst *destination.Destination) {
	n := o.fields["conditions"]
	if n == nil {
		return
	}
	in := d.object(n, "conditions", &conditionOptions)
	c := &dst.Conditions
	if from := in.fields["source_ip"]; from != nil && from.Kind == yaml.ScalarNode && from.Value == "client" {
		c.Client = true
	} else {
		c.SourceIP = d.networks(in, "source_ip")
	}
	c.SecureTransport, c.Encryption = in.flag("secure_transport"), in.flag("encryption")
	if c.Encryption && dst.Object.Encryption == "" {
		in.mistake("encryption", "encryption is asked for and server_side_encryption says none; write server_side_encryption: AES256, or aws:kms")
	}
	if asked := c.Client || len(c.SourceIP) > 0 || c.SecureTransport || c.Encryption; asked && dst.Store != nil && !dst.Store.AWS() {
		d.mistake(n, "conditions are there, and only AWS's policies know these, not the store %s's; leave them out", dst.Store.Name)
	}
	if dst.Presigned && (c.Client || len(c.SourceIP) > 0) {
		in.mistake("source_ip", "source_ip is there with signing: presigned, by which the server makes calls for the page, from an address of its own; write signing: session")
	}
	if dst.Compat.Evaporate && (c.Client || len(c.SourceIP) > 0) {
		in.mistake("source_ip", "source_ip is there with compat: [evaporate], for which the server lists parts with the page's session, from an address of its own; leave one of the two out")
	}
	if slices.ContainsFunc(c.SourceIP, func(p netip.Prefix) bool { return p.Addr().IsPrivate() }) {
		d.warn(in.at("source_ip"), "source_ip has private addresses, by which pages reach AWS only through a VPC endpoint, where this condition denies all; write the addresses that the pages' requests leave your network with")
	}
}
