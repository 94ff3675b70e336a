def chunksign():
    # For python manage.py shell, Django 1.11 and newer: prints django-s3direct's settings as JSON. Functions
    # come with their source and are not called; of secrets it says only whether they are set.
    import functools, inspect, json, os, re, textwrap
    from collections import abc
    from decimal import Decimal
    from django.conf import settings
    from django.utils.functional import Promise
    secret = re.compile('SECRET|PASSWORD|TOKEN|CREDENTIAL|(ACCESS|API|PRIVATE)_?KEY|DATABASE_URL')
    def value(n):
        try:
            return getattr(settings, n, None)
        except Exception:  # Django refuses an empty SECRET_KEY, which is of no interest here
            return None
    known = list(os.environ.items()) + [(n, value(n)) for n in dir(settings)]
    hidden = sorted((str(v) for n, v in known if secret.search(n) and isinstance(v, str) and len(v) > 7), key=len)
    def text(v):
        v = str.__str__(v) if issubclass(type(v), str) else str(v)
        return functools.reduce(lambda s, h: s.replace(h, '********'), reversed(hidden), v)
    def function(f):
        out = {'repr': re.sub(r' at 0x\w+', '', text(repr(f)))[:400]}
        try:
            f = inspect.unwrap(f)
        except ValueError:  # it wraps itself
            pass
        if isinstance(f, functools.partial):
            out['with'], f = show([f.args, f.keywords], 8), f.func
        elif not inspect.isroutine(f) and not inspect.isclass(f):
            out['with'], f = show(getattr(f, '__dict__', {}), 8), type(f)
        name = getattr(f, '__qualname__', type(f).__name__)
        out['name'] = re.sub(r'<\w+comp>\.', '', '%s.%s' % (getattr(f, '__module__', '?'), name))
        try:
            file = inspect.getsourcefile(f) or ''
            if '-packages' in file or not file.startswith(os.path.dirname(os.__file__)):  # not Python's own library
                lines, out['line'] = inspect.getsourcelines(f)
                out['source'] = text(textwrap.dedent(''.join(lines)))[:8000]
        except (OSError, TypeError):
            pass
        return out
    def show(v, depth=0):
        if v is None or isinstance(v, bool):
            return None if v is None else bool(v)
        if isinstance(v, (str, os.PathLike, Promise)):
            return text(v)
        if isinstance(v, (int, float, Decimal)) and v == v and abs(v) < 2 ** 63:
            return int(v) if v == int(v) else float(v)
        deeper = depth + 1
        if isinstance(v, abc.Mapping) and deeper < 12:  # the outermost one's keys are the destinations' names
            return {text(k): '********' if depth and secret.search(str(k).upper()) else show(x, deeper)
                    for k, x in v.items()}
        if isinstance(v, (list, tuple, range, abc.KeysView, abc.ValuesView)) and deeper < 12:
            return [show(x, deeper) for x in v]
        if isinstance(v, abc.Set) and deeper < 12:
            return sorted((show(x, deeper) for x in v), key=str)
        if callable(v) and depth < 8:  # inside of what a function is with, the repr has to do
            return {'$callable': function(v)}
        return {'$other': re.sub(r' at 0x\w+', '', text(repr(v)))[:400]}
    names = [n for n in dir(settings) if n.startswith('S3DIRECT_') and not secret.search(n)] + [
        'AWS_STORAGE_BUCKET_NAME', 'AWS_S3_REGION_NAME', 'AWS_S3_ENDPOINT_URL', 'SESSION_COOKIE_NAME']
    out = {'chunksign_s3direct': 1, 'module': getattr(settings, 'SETTINGS_MODULE', None) or ''}
    out.update((n, show(getattr(settings, n, None))) for n in names)
    out['set'] = [n for n in ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY') if getattr(settings, n, None)]
    print('\n' + json.dumps(out))

chunksign()
