import functools


def signed_in(rule):
    @functools.wraps(rule)
    def both(user):
        return user.is_authenticated and rule(user)
    return both


@signed_in
def may_publish(user):
    # An editor, or somebody with the right.
    return user.groups.filter(name="editors").exists() or user.has_perm("press.publish")


class Rules:
    @staticmethod
    def staff(user):
        return user.is_staff

    @classmethod
    def superuser(cls, user):
        return user.is_superuser

    def in_group(self, name, user):
        return user.groups.filter(name=name).exists()
