"""The example project's URLs, and /whoami for auth.forward."""

from django.http import JsonResponse
from django.urls import path
from example.urls import urlpatterns as theirs


def whoami(request):
    u = request.user
    if not u.is_authenticated:
        return JsonResponse({'sub': 'visitor', 'groups': []})
    return JsonResponse({'sub': str(u.pk), 'groups': ['staff'] if u.is_staff else []})


urlpatterns = [path('whoami', whoami)] + theirs
