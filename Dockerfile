# One image for every role: the command chooses (scheduler, worker, flower, db upgrade …).
# Base image without CUDA: the draft and post workers need none.
FROM python:3.12-slim

ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1 VOICEFARM_HOME=/var/lib/voicefarm

RUN useradd --system --create-home --home-dir /var/lib/voicefarm voicefarm \
    && mkdir /deliverables && chown voicefarm /deliverables

WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY db ./db
COPY migrations ./migrations
COPY scheduler ./scheduler
COPY synthesis ./synthesis
COPY workers ./workers
RUN pip install -c constraints.txt ".[s3]"

USER voicefarm
WORKDIR /var/lib/voicefarm
ENTRYPOINT []
CMD ["voicefarm", "--help"]
